"""Azure's VM sizes: CPUs, memory and GPUs of one node.

From Azure's documentation of virtual machine sizes
(https://learn.microsoft.com/azure/virtual-machines/sizes/overview); memory is in GiB.
"""

from __future__ import annotations

import re

from scriptrun.spec.values import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from scriptrun.runtime.hints import Json


class Size(Value):
    """One node's CPUs, memory in GiB and GPUs."""

    cpus: int
    memory: int
    gpus: int = 0


#: sizes that follow no naming rule, without ``STANDARD_``
_TABLE = {
    "A1_V2": Size(1, 2),
    "A2_V2": Size(2, 4),
    "A4_V2": Size(4, 8),
    "A8_V2": Size(8, 16),
    "B1S": Size(1, 1),
    "B1MS": Size(1, 2),
    "B2S": Size(2, 4),
    "B2MS": Size(2, 8),
    "B4MS": Size(4, 16),
    "B8MS": Size(8, 32),
    "D1": Size(1, 3),
    "D2": Size(2, 7),
    "D3": Size(4, 14),
    "D4": Size(8, 28),
    "D5": Size(16, 56),
    "D11": Size(2, 14),
    "D12": Size(4, 28),
    "D13": Size(8, 56),
    "D14": Size(16, 112),
    "D15": Size(20, 140),
    "HB60RS": Size(60, 228),
    "HB120RS": Size(120, 456),
    "HC44RS": Size(44, 352),
    "NC4AS_T4": Size(4, 28, 1),
    "NC8AS_T4": Size(8, 56, 1),
    "NC16AS_T4": Size(16, 110, 1),
    "NC64AS_T4": Size(64, 440, 4),
    "NC24ADS_A100": Size(24, 220, 1),
    "NC48ADS_A100": Size(48, 440, 2),
    "NC96ADS_A100": Size(96, 880, 4),
    "NC40ADS_H100": Size(40, 320, 1),
    "NC80ADIS_H100": Size(80, 640, 2),
    "ND40RS": Size(40, 672, 8),
    "ND96ASR": Size(96, 900, 8),
    "ND96AMSR_A100": Size(96, 1900, 8),
    "ND96ISR_H100": Size(96, 1900, 8),
    "NV12S": Size(12, 112, 1),
    "NV24S": Size(24, 224, 2),
    "NV48S": Size(48, 448, 4),
}
#: GiB of memory per CPU, by family letter, for versions 3 and newer
_PER_CPU = {"D": 4, "E": 8, "F": 2}
_RULE = re.compile(r"(?P<family>[DEF])(?P<cpus>\d+)[A-Z]*(?:_V(?P<version>\d))?")
#: common sizes that follow a naming rule
_COMMON = (
    "DS1_V2 DS2_V2 DS3_V2 DS4_V2 DS5_V2 DS11_V2 DS12_V2 DS13_V2 DS14_V2 DS15_V2 "
    "D1_V2 D2_V2 D3_V2 D4_V2 D5_V2 D11_V2 D12_V2 D13_V2 D14_V2 D15_V2 "
    "D2_V3 D4_V3 D8_V3 D16_V3 D32_V3 D64_V3 D2S_V3 D4S_V3 D8S_V3 D16S_V3 D32S_V3 "
    "E2_V3 E4_V3 E8_V3 E16_V3 E32_V3 E4S_V3 E8S_V3 E16S_V3 E32S_V3 "
    "F2S_V2 F4S_V2 F8S_V2 F16S_V2 F32S_V2 F64S_V2 F72S_V2 "
    "NC6 NC12 NC24 NC24R NC6S_V2 NC12S_V2 NC24S_V2 NC6S_V3 NC12S_V3 NC24S_V3 NC24RS_V3 "
    "ND6S ND12S ND24S NV6 NV12 NV24"
)
#: old GPU sizes: 6 CPUs per GPU, with 56 GiB in version 1 and 112 GiB later
_OLD_GPU = re.compile(r"N[CDV](?P<cpus>6|12|24)R?S?(?:_PROMO)?(?:_V(?P<version>[123]))?")


def size_of(name: str) -> Size | None:
    """Return the size ``name`` (``STANDARD_NC6``, in any case), or None if it is unknown."""
    short_name = re.sub(r"^STANDARD_", "", name.strip().upper())
    table_size = _TABLE.get(short_name) or _TABLE.get(re.sub(r"_V\d$", "", short_name))
    old = _OLD_GPU.fullmatch(short_name)
    if old is not None and table_size is None:
        cpus = int(old["cpus"])
        is_newer = short_name.startswith("ND") or (old["version"] or "1") != "1"
        return Size(cpus, cpus // 6 * (112 if is_newer else 56), cpus // 6)
    fast_disk = re.fullmatch(r"DS(\d+)(_V2)?", short_name)  # the same with faster disks
    if fast_disk is not None:
        return _TABLE.get(f"D{fast_disk[1]}")
    rule = _RULE.fullmatch(short_name)
    if rule is None or (table_size is not None and int(rule["version"] or 1) < 3):
        return table_size
    cpus = int(rule["cpus"])
    return Size(cpus, cpus * _PER_CPU[rule["family"]])


def list_sizes() -> list[Json]:
    """Return all sizes known by name, in the SDK v1's format."""
    sizes = {name: size_of(name) for name in (*_COMMON.split(), *_TABLE)}
    return [
        {
            "name": f"STANDARD_{name}",
            "vCPUs": size.cpus,
            "gpus": size.gpus,
            "memoryGB": float(size.memory),
            "maxResourceVolumeMB": 0,
        }
        for name, size in sorted(sizes.items())
        if size is not None
    ]

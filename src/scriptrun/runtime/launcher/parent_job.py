"""Variables of a job that submits another one: they are not the other's (Python 3.8+)."""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from scriptrun.runtime.hints import Json


#: a process that has it is one of a job's, and one of several where it has the second
_IN_JOB, _IN_GANG = "SCRIPTRUN_RUN_ID", "SCRIPTRUN_WORLD_SIZE"
_DATA_PREFIXES = ("AZUREML_DATAREFERENCE_", "AZUREML_DATASET_FILE_OUTPUTS")
#: a rank's number among the others, as this system, mpirun and frameworks say it
_RANK_NAMES = frozenset(
    "SCRIPTRUN_LOCAL_RANK SCRIPTRUN_WORLD_SIZE MASTER_ADDR MASTER_PORT NODE_RANK RANK LOCAL_RANK "
    "WORLD_SIZE LOCAL_WORLD_SIZE GROUP_RANK TF_CONFIG OMP_NUM_THREADS AZ_BATCH_MASTER_NODE "
    "AZ_BATCH_NODE_LIST AZ_BATCH_HOST_LIST".split()
)
_RANK_PREFIXES = ("AZ_BATCHAI_", "OMPI_", "PMIX_", "PMI_", "PRTE_", "HYDRA_", "HYDI_", "MPI_LOCAL")


def without_its_variables(job: "Json", inherited: "Mapping[str, str]") -> "dict[str, str]":
    """``inherited`` without the data and ranks of the job that submitted, if a job did.

    A process that believed to be one rank of several would wait for the others. Variables that were
    passed by name stay.
    """
    prefixes: "tuple[str, ...]" = _DATA_PREFIXES if _IN_JOB in inherited else ()
    names: "frozenset[str]" = frozenset()
    if prefixes and _IN_GANG in inherited:
        prefixes, names = prefixes + _RANK_PREFIXES, _RANK_NAMES
    passed = job.get("passed") or ()
    return {
        name: value
        for name, value in inherited.items()
        if name in passed or not (name in names or name.startswith(prefixes))
    }

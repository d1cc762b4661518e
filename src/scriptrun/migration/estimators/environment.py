"""Convert an Estimator's settings to code that creates the same Environment."""

from __future__ import annotations

from collections.abc import Callable

import libcst as cst

from scriptrun.config import frameworks
from scriptrun.config.environments import curated
from scriptrun.migration.code import constants
from scriptrun.migration.code.program import Program
from scriptrun.migration.estimators.call import CannotRewrite, Setting, setting_value

NAMES = (
    "use_gpu",
    "use_docker",
    "custom_docker_base_image",
    "custom_docker_image",
    "image_registry_details",
    "user_managed",
    "conda_packages",
    "pip_packages",
    "conda_dependencies_file_path",
    "pip_requirements_file_path",
    "conda_dependencies_file",
    "pip_requirements_file",
    "environment_definition",
    "environment_variables",
    "shm_size",
    "framework_version",
)
#: settings that the SDK does not allow together with environment_definition
_EXCLUDED = tuple(
    name
    for name in NAMES
    if name
    not in ("use_docker", "environment_definition", "environment_variables", "framework_version")
)


#: the longest code that creates an environment inside a call
_LONGEST_INLINE = 40


class EnvironmentCode:
    """The Environment of a call: the ``lines`` that create it, and ``text`` to refer to it.

    ``later_lines`` follow the call; ``needs`` are names to import.
    """

    def __init__(
        self,
        program: Program,
        settings: dict[str, Setting],
        framework: str,
        make_name: Callable[[], str],
        workspace: str,
        can_add_lines: bool = True,
    ) -> None:
        self.can_add_lines = can_add_lines
        self.program, self.settings, self.framework = program, settings, framework
        self.make_name, self.workspace = make_name, workspace
        self.needs: set[str] = set()
        self.lines: list[str] = []
        self.later_lines: list[str] = []
        definition = self._setting("environment_definition")
        if definition is not None:
            self._check_excluded()
            self.text = definition.text
            if _may_be_none(program, definition.node):
                if framework:
                    raise CannotRewrite("environment_definition is uncertain and may be None")
                self.needs.add("Environment")
                self.text = f"{definition.text} or Environment({self._quoted('estimator')})"
            self._set_variables_later()
        else:
            self.text = self._build()

    # helpers

    def _setting(self, name: str) -> Setting | None:
        """The setting, or None if it is certainly None, False or empty."""
        setting = self.settings.get(name)
        if setting is None or setting_value(self.program, setting) in (None, False, "", [], 0):
            return None
        return setting

    def _value(self, name: str, default: object = None) -> object:
        return setting_value(self.program, self.settings.get(name), default)

    def _quoted(self, text: str) -> str:
        quote = "'" if self.program.text.count("'") >= self.program.text.count('"') else '"'
        return f"{quote}{text}{quote}"

    def parenthesized(self, setting: Setting) -> str:
        """The setting's text, in parentheses unless it is a name, call or literal."""
        text, node = setting.text, setting.node
        simple = constants.is_pure(node) or isinstance(
            node, cst.Call | cst.Dict | cst.List | cst.Tuple
        )
        return text if simple or text.startswith("(") else f"({text})"

    def _check_excluded(self) -> None:
        clashing = [name for name in _EXCLUDED if self._setting(name) is not None]
        if clashing:
            raise CannotRewrite(
                f"environment_definition cannot be combined with {', '.join(clashing)}"
            )

    def _set_variables_later(self) -> None:
        setting = self._setting("environment_variables")
        if setting is not None:
            variables = (
                setting.text
                if isinstance(setting.node, cst.Dict)
                else f"{self.parenthesized(setting)} or {{}}"
            )
            self.later_lines.append(f"run_config.environment_variables.update({variables})")

    # the environment

    def _build(self) -> str:
        base, title = self._base()
        conda = self._conda(title)
        settings = [*self._python(), *self._docker(), *self._variables()]
        if conda.base:
            base = conda.base
        is_short = len(base) <= _LONGEST_INLINE or not self.can_add_lines
        if not conda.lines and not settings and is_short:
            return base
        name = self.make_name()
        self.lines = [f"{name} = {base}"]
        self.lines += [line.replace("{env}", name) for line in (*conda.lines, *settings)]
        return name

    def _base(self) -> tuple[str, str]:
        managed = self._value("user_managed", False)
        if self.framework and managed is constants.UNKNOWN:
            raise CannotRewrite("user_managed determines the packages, but its value is uncertain")
        is_plain = not self.framework or bool(managed)
        title = frameworks.environment_name("" if is_plain else self.framework)
        self.needs.add("Environment")
        if is_plain:
            return f"Environment({self._quoted(title)})", title
        if not self.workspace:
            return self._spell_out(title), title
        name = self._curated_name()
        return (
            f"Environment.get(workspace={self.workspace}, name={name})"
            f".clone({self._quoted(title)})",
            title,
        )

    def _version(self) -> object:
        version = self._value("framework_version")
        default, known_versions = frameworks.VERSIONS[self.framework]
        if version in (None, ""):
            return default
        if version is not constants.UNKNOWN and version not in known_versions:
            raise CannotRewrite(f"{self.framework} has no framework_version {version!r}")
        return version

    def _curated_name(self) -> str:
        """The curated environment's name as code, an f-string if parts of it are uncertain."""
        version, gpu = self._version(), self._value("use_gpu", False)
        if isinstance(version, str) and gpu is not constants.UNKNOWN:
            return self._quoted(frameworks.curated_name(self.framework, version, bool(gpu)))
        parts = frameworks.curated_name(self.framework, "\0", True).split("\0")
        middle = version
        if version is constants.UNKNOWN:
            default = frameworks.VERSIONS[self.framework][0]
            text = self.parenthesized(self.settings["framework_version"])
            middle = f"{{{text} or {self._inner_quoted(default)}}}"
        end = parts[1].replace("GPU", "CPU") if not gpu else parts[1]
        if gpu is constants.UNKNOWN and end:
            text = self.parenthesized(self.settings["use_gpu"])
            end = f"-{{{self._inner_quoted('GPU')} if {text} else {self._inner_quoted('CPU')}}}"
        name = f"{parts[0]}{middle}{end}"
        if self._quoted("")[0] in name or "\n" in name or "\\" in name:
            raise CannotRewrite("framework_version and use_gpu are uncertain")
        return f"f{self._quoted(name)}"

    def _inner_quoted(self, text: str) -> str:
        quote = '"' if self._quoted("")[0] == "'" else "'"
        return f"{quote}{text}{quote}"

    def _spell_out(self, title: str) -> str:
        """Spell out the framework's packages, because no workspace is in scope to get them from."""
        version, gpu = self._version(), self._value("use_gpu", False)
        if not isinstance(version, str) or gpu is constants.UNKNOWN:
            raise CannotRewrite(
                "framework_version or use_gpu is uncertain, and no workspace is in scope",
                "Pass an Environment from Environment.get(workspace, name).",
            )
        environment = curated.get(frameworks.curated_name(self.framework, version, bool(gpu)))
        assert environment is not None, "there is one for each version"
        self._curated = environment
        return f"Environment({self._quoted(title)})"

    # packages and settings

    def _conda(self, title: str) -> PackageLines:
        return PackageLines(self, title)

    def _python(self) -> list[str]:
        setting = self._setting("user_managed")
        if setting is None:
            return []
        text = "True" if self._value("user_managed") is True else f"bool({setting.text})"
        return [f"{{env}}.python.user_managed_dependencies = {text}"]

    def _docker(self) -> list[str]:
        lines = []
        image = self._setting("custom_docker_image") or self._setting("custom_docker_base_image")
        if image is not None:
            lines.append(self._set("docker.base_image", image))
        elif not self.framework or self._value("user_managed", False):
            lines += self._gpu()
        registry = self._setting("image_registry_details")
        if registry is not None:
            lines.append(self._set("docker.base_image_registry", registry))
        size = self._setting("shm_size")
        if size is not None:
            lines.append(self._set("docker.shm_size", size))
        return lines

    def _set(self, attribute: str, setting: Setting) -> str:
        """The line that sets the attribute ``attribute``, unless the value is None at run time."""
        node = constants.resolve(self.program, setting.node)
        certain = isinstance(node, cst.Call) or isinstance(
            constants.constant(self.program, node), str
        )
        fallback = "" if certain else f" or {{env}}.{attribute}"
        text = setting.text if certain else self.parenthesized(setting)
        return f"{{env}}.{attribute} = {text}{fallback}"

    def _gpu(self) -> list[str]:
        setting = self._setting("use_gpu")
        if setting is None:
            return []
        self.needs.add("DEFAULT_GPU_IMAGE")
        line = "{env}.docker.base_image = DEFAULT_GPU_IMAGE"
        if self._value("use_gpu") is constants.UNKNOWN:
            line += f" if {self.parenthesized(setting)} else {{env}}.docker.base_image"
        return [line]

    def _variables(self) -> list[str]:
        setting = self._setting("environment_variables")
        if setting is None:
            return []
        variables = (
            setting.text
            if isinstance(setting.node, cst.Dict)
            else f"{self.parenthesized(setting)} or {{}}"
        )
        return [f"{{env}}.environment_variables.update({variables})"]


def _may_be_none(program: Program, node: cst.BaseExpression) -> bool:
    """Whether ``node`` is a parameter whose default is None."""
    if not isinstance(node, cst.Name):
        return False
    for assignment in program.assignments(node.value, node):
        target = getattr(assignment, "node", None)
        param = (
            target if isinstance(target, cst.Param) else program.parent(target) if target else None
        )
        if isinstance(param, cst.Param) and param.default is not None:
            return constants.constant(program, param.default) is None
    return False


class PackageLines:
    """The lines that add packages to an environment; ``base`` if they also create it."""

    def __init__(self, environment: EnvironmentCode, title: str) -> None:
        self.environment, self.base = environment, ""
        self.lines: list[str] = []
        self.package_variable = environment.program.name_for(environment.program.module, "package")
        self.conda = environment.program.name_for(environment.program.module, "conda")
        self.curated = getattr(environment, "_curated", None)
        self.is_framework = title != frameworks.environment_name("")
        conda = self._file("conda_dependencies_file", "conda_dependencies_file_path")
        pip = self._file("pip_requirements_file", "pip_requirements_file_path")
        if self.curated is not None:
            self._spell_out()
        if conda:
            self._from_conda_file(conda)
        if pip:
            self._from_pip_file(pip)
        self._add_listed(bool(conda or pip))

    def _file(self, *names: str) -> str:
        """The path of a file in the source directory, as code, or ""."""
        setting = next(filter(None, map(self.environment._setting, names)), None)
        if setting is None:
            return ""
        program, folder = (
            self.environment.program,
            self.environment.settings.get("source_directory"),
        )
        file = constants.constant(program, setting.node)
        if not isinstance(file, str):
            raise CannotRewrite(
                f"{setting.name} is uncertain", "Read the file into an Environment."
            )
        root = constants.constant(program, folder.node) if folder is not None else "."
        if isinstance(root, str):
            return self.environment._quoted(
                file if root in (".", "") else f"{root.rstrip('/')}/{file}"
            )
        assert folder is not None
        if not constants.is_pure(folder.node):
            raise CannotRewrite(
                "source_directory is evaluated on each use", "Assign it to a variable."
            )
        self.environment.needs.add("os")
        return f"os.path.join({folder.text}, {self.environment._quoted(file)})"

    def _spell_out(self) -> None:
        assert self.curated is not None
        self.environment.needs.add("CondaDependencies")
        conda = self.curated.python.conda_dependencies
        python = [
            python_spec for python_spec in conda.conda_packages if python_spec.startswith("python=")
        ]
        other_packages = [
            package for package in conda.conda_packages if not package.startswith("python=")
        ]
        arguments = [f"python_version={python[0][7:]!r}"] if python else []
        arguments += [f"conda_packages={other_packages!r}"] if other_packages else []
        arguments.append(f"pip_packages={list(conda.pip_packages)!r}")
        self.lines.append(
            f"{{env}}.python.conda_dependencies = CondaDependencies.create({', '.join(arguments)})"
        )

    def _from_conda_file(self, path: str) -> None:
        title = self.environment._quoted(frameworks.environment_name(""))
        if not self.is_framework:
            self.base = f"Environment.from_conda_specification({title}, {path})"
            self.lines.append(self._add_line(self.environment._quoted("azureml-defaults")))
            return
        self.environment.needs.add("CondaDependencies")
        self.lines += [
            f"{self.conda} = CondaDependencies({path})",
            f"for {self.package_variable} in {{env}}.python.conda_dependencies.pip_packages:",
            f"    {self.conda}.add_pip_package({self.package_variable})",
            f"{{env}}.python.conda_dependencies = {self.conda}",
        ]

    def _from_pip_file(self, path: str) -> None:
        title = self.environment._quoted(frameworks.environment_name(""))
        if not (self.is_framework or self.base):
            self.base = f"Environment.from_pip_requirements({title}, {path})"
            self.lines.append(self._add_line(self.environment._quoted("azureml-defaults")))
            return
        environment = self.environment
        name = environment.program.name_for(environment.program.module, "requirements")
        self.lines += [
            f"{name} = Environment.from_pip_requirements({title}, {path})",
            f"for {self.package_variable} in {name}.python.conda_dependencies.pip_packages:",
            "    " + self._add_line(self.package_variable),
        ]

    def _add_listed(self, has_file: bool) -> None:
        """Add the packages that the call lists."""
        pip, conda = (
            self.environment._setting("pip_packages"),
            self.environment._setting("conda_packages"),
        )
        if pip is None and conda is None:
            return
        if not (has_file or self.is_framework):
            self.environment.needs.add("CondaDependencies")
            listed = (("conda_packages", conda), ("pip_packages", pip))
            arguments = [
                f"{name}={setting.text}" for name, setting in listed if setting is not None
            ]
            self.lines.append(
                "{env}.python.conda_dependencies = "
                f"CondaDependencies.create({', '.join(arguments)})"
            )
            return
        for packages, kind in ((pip, "pip"), (conda, "conda")):
            if packages is not None:
                self._add_individually(packages, kind)

    def _add_individually(self, setting: Setting, kind: str) -> None:
        node = setting.node
        if isinstance(node, cst.List) and len(node.elements) <= 4 and "#" not in setting.text:
            plain = all(isinstance(element, cst.Element) for element in node.elements)
            if plain:
                texts = [self.environment.program.source(item.value) for item in node.elements]
                self.lines += [self._add_line(text, kind) for text in texts]
                return
        text = (
            setting.text
            if isinstance(node, cst.List | cst.Tuple)
            else f"{self.environment.parenthesized(setting)} or []"
        )
        self.lines += [
            f"for {self.package_variable} in {text}:",
            "    " + self._add_line(self.package_variable, kind),
        ]

    @staticmethod
    def _add_line(text: str, kind: str = "pip") -> str:
        return f"{{env}}.python.conda_dependencies.add_{kind}_package({text})"

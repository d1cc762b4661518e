"""Write the SDK's first deployment API, with images, as InferenceConfig and Model.deploy."""

from __future__ import annotations

import re
from collections.abc import Iterator

import libcst as cst
from libcst import matchers

from scriptrun.migration.code import alignment, constants, image_uses, removals
from scriptrun.migration.code.call_layout import Arguments
from scriptrun.migration.code.edits import Edit
from scriptrun.migration.code.imports import Imports
from scriptrun.migration.code.program import Program
from scriptrun.migration.estimators.call import CannotRewrite
from scriptrun.migration.findings import NEEDS_REVIEW, REWRITTEN
from scriptrun.migration.rewrite_program import ProgramFinding, RewriteResult

_IMAGE = r"azureml\.core\.image(\.\w+)*\.(ContainerImage|Image)"
_CONFIGURE = re.compile(rf"{_IMAGE}\.image_configuration$")
_CREATE = re.compile(rf"{_IMAGE}\.create$")
_DEPLOY = re.compile(r"azureml\.core\.([\w.]+\.)?\w*Webservice\.deploy_from_(model|image)$")
#: arguments of image_configuration that InferenceConfig has, with its names for them
_SAME = {
    "execution_script": "entry_script",
    "runtime": "runtime",
    "conda_file": "conda_file",
    "docker_file": "extra_docker_file_steps",
    "enable_gpu": "enable_gpu",
    "cuda_version": "cuda_version",
    "description": "description",
    "base_image": "base_image",
    "base_image_registry": "base_image_registry",
}
#: and those that only describe the image
_GONE = ("tags", "properties")
_CREATE_PARAMETERS = ("workspace", "name", "models", "image_config")
_DEPLOY_PARAMETERS = ("workspace", "name", "image", "deployment_config", "deployment_target")
_ADVICE = (
    "Use InferenceConfig(entry_script=..., environment=...) and Model.deploy(workspace, name, "
    "models, inference_config, deployment_config)."
)


def rewrite(program: Program, path: str) -> RewriteResult:
    """Rewrite images that are only deployed; report the others. ``path`` is the program's file."""
    result = RewriteResult()
    calls = [call for call in program.calls if _CONFIGURE.match(program.qualified_name(call.func))]
    for call in calls:
        imports, image = Imports(program), _Image(program, call, path)
        line, what = program.line(call), program.source(call.func)
        try:
            edits = image.edits(imports)
        except CannotRewrite as problem:
            result.findings.append(
                ProgramFinding(line, NEEDS_REVIEW, what, problem.reason, _ADVICE)
            )
            continue
        result.edits += [edit for edit in edits if edit not in result.edits]
        if call is calls[-1]:
            image.drop_imports(imports, [program.span(other) for other in calls])
        result.edits += [edit for edit in imports.edits() if edit not in result.edits]
        reason = "now InferenceConfig and Model.deploy; no image is made"
        result.findings.append(ProgramFinding(line, REWRITTEN, what, reason))
    result.edits += alignment.edits(program, result.edits)
    return result


class _Image:
    """The image that ``call`` configures, and what creates and deploys it."""

    def __init__(self, program: Program, call: cst.Call, path: str) -> None:
        self.program, self.call, self.path = program, call, path
        self._found: list[Edit] = []
        self._gone: list[tuple[int, int]] = []

    def edits(self, imports: Imports) -> list[Edit]:
        """The edits that deploy without an image. Raises CannotRewrite."""
        deployments = 0
        self._configuration(imports)
        for call, arg in self._uses(self.call):
            name = self.program.qualified_name(call.func)
            if _DEPLOY.match(name) and name.endswith("_model"):
                deployments += 1
                self._deploy_model(call, arg, imports)
            elif _CREATE.match(name):
                deployments += self._deploy_image(call, imports)
            else:
                raise CannotRewrite(f"{self.program.source(call.func)} uses it")
        if not deployments:
            raise CannotRewrite("its deployment is not visible")
        return self._found

    def drop_imports(self, imports: Imports, gone: list[tuple[int, int]]) -> None:
        """Drop the imports of images and of Webservice that nothing else uses."""
        spans = [*self._gone, *gone]
        spans += [self.program.span(call.func) for call in self.program.calls
                  if _DEPLOY.match(self.program.qualified_name(call.func))]  # fmt: skip
        removals.unused(self.program, spans, imports)

    def _configuration(self, imports: Imports) -> None:
        layout = Arguments(self.program, self.call)
        for arg in self.call.args:
            if arg.keyword is None or arg.star:
                raise CannotRewrite("its arguments are given without names")
            name = arg.keyword.value
            if name in _SAME:
                layout.rename(arg, _SAME[name])
            elif name in _GONE:
                layout.drop(arg)
            else:
                raise CannotRewrite(f"InferenceConfig has no argument for its {name}")
        self._found += layout.edits("InferenceConfig", self.call.func)
        self._need("InferenceConfig", self.call, imports)

    def _deploy_model(self, call: cst.Call, arg: cst.Arg, imports: Imports) -> None:
        layout = Arguments(self.program, call)
        layout.rename(arg, "inference_config")
        self._found += layout.edits("Model.deploy", call.func)
        self._need("Model", call, imports)

    def _deploy_image(self, create: cst.Call, imports: Imports) -> int:
        """Deploy the image that ``create`` makes without it; the number of its deployments."""
        given = _arguments(create, _CREATE_PARAMETERS)
        models, config = given.get("models"), given.get("image_config")
        if models is None or config is None or not _is_plain(models):
            raise CannotRewrite("the models of its image are not visible")
        line = self.program.statement(create)
        if line is None or len(line.body) > 1:
            raise CannotRewrite("its image is made in the middle of a statement")
        other = image_uses.fetching_file(self.path, self.program, given.get("name"))
        if other is not None:
            raise CannotRewrite(f"{other} fetches an image by name, which may be this one")
        count = 0
        for call, arg in self._uses(create):
            name = self.program.qualified_name(call.func)
            if not (_DEPLOY.match(name) and name.endswith("_image")):
                raise CannotRewrite(f"{self.program.source(call.func)} uses its image")
            count += 1
            self._check_meaning([models, config], create, call)
            layout = Arguments(self.program, call)
            texts = [self.program.source(models), self.program.source(config)]
            if arg.keyword is not None:
                texts = [f"models={texts[0]}", f"inference_config={texts[1]}"]
            layout.replace(arg, ", ".join(texts))
            self._found += layout.edits("Model.deploy", call.func)
            self._need("Model", call, imports)
        self._remove(line)
        return count

    def _check_meaning(
        self, values: list[cst.BaseExpression], create: cst.Call, deploy: cst.Call
    ) -> None:
        """Raise CannotRewrite if names in ``values`` may mean something else at ``deploy``."""
        for node in [name for value in values for name in matchers.findall(value, matchers.Name())]:
            assert isinstance(node, cst.Name)
            found = self.program.assignments(node.value, create)
            is_same = found == self.program.assignments(node.value, deploy)
            if len(found) > 1 or not is_same or node.value in self.program.hidden:
                raise CannotRewrite(f"{node.value} has other values, too")

    def _uses(self, call: cst.Call) -> Iterator[tuple[cst.Call, cst.Arg]]:
        """The calls that get the value of ``call``, and the argument. Raises CannotRewrite."""
        parent = self.program.parent(call)
        if isinstance(parent, cst.Arg):
            yield from self._call_of(parent)
            return
        target = parent.targets[0].target if isinstance(parent, cst.Assign) else None
        is_only = isinstance(parent, cst.Assign) and len(parent.targets) == 1
        if not isinstance(target, cst.Name) or target.value in self.program.hidden or not is_only:
            raise CannotRewrite("its use is not visible")
        if len(self.program.assignments(target.value, target)) > 1:
            raise CannotRewrite(f"{target.value} has other values, too")
        for use in self.program.references(target.value, target):
            user = self.program.parent(use)
            if use is target:
                continue
            if isinstance(user, cst.Arg):
                yield from self._call_of(user)
            else:
                self._remove(self._idle_line(use))

    def _call_of(self, arg: cst.Arg) -> Iterator[tuple[cst.Call, cst.Arg]]:
        call = self.program.parent(arg)
        if not isinstance(call, cst.Call):
            raise CannotRewrite("its use is not visible")
        if self.program.source(call.func) == "print":
            self._remove(self._idle_line(arg))
        else:
            yield call, arg

    def _idle_line(self, use: cst.CSTNode) -> cst.SimpleStatementLine:
        """The line around ``use`` if it only waits for an image, or prints something of it."""
        line = self.program.statement(use)
        statement = line.body[0] if line is not None and len(line.body) == 1 else None
        if line is None or not isinstance(statement, cst.Expr):
            raise CannotRewrite("the code uses more of its image")
        if not image_uses.is_idle(self.program, statement.value):
            raise CannotRewrite("the code uses more of its image")
        return line

    def _remove(self, line: cst.SimpleStatementLine) -> None:
        block = self.program.parent(line)
        if isinstance(block, cst.IndentedBlock) and len(block.body) == 1:
            raise CannotRewrite("its image is alone in a block")
        edit = removals.line(self.program, line)
        if edit in self._found:
            return  # the line uses it twice
        self._found.append(edit)
        self._gone.append((edit.start, edit.end))

    def _need(self, name: str, call: cst.Call, imports: Imports) -> None:
        if imports.find_conflicts([name]):
            raise CannotRewrite(f"the program uses the name {name} for something else")
        root: cst.BaseExpression = self.call.func
        while isinstance(root, cst.Attribute):
            root = root.value
        assert isinstance(root, cst.Name), "its name comes from an import"
        binding = self.program.assignments(root.value, root)
        anchor = getattr(binding[0], "node", None) if binding else None
        if not isinstance(anchor, cst.ImportFrom):
            raise CannotRewrite("its import is not visible")
        imports.need(name, call, anchor)


def _arguments(call: cst.Call, parameters: tuple[str, ...]) -> dict[str, cst.BaseExpression]:
    """The arguments of the call by name."""
    positional = dict(enumerate(parameters))
    return {
        name: arg.value
        for index, arg in enumerate(call.args)
        if (name := arg.keyword.value if arg.keyword is not None else positional.get(index))
        and not arg.star
    }


def _is_plain(value: cst.BaseExpression) -> bool:
    """Whether it means the same some lines below: names, and lists of them."""
    if isinstance(value, cst.List):
        return all(_is_plain(element.value) for element in value.elements)
    return isinstance(value, cst.Name | cst.Attribute) or constants.is_pure(value)

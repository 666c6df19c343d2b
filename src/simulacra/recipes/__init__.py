"""The syllabus as a table of contents: one file per variant, found by its name."""

from __future__ import annotations

import ast
import importlib
import importlib.util
import inspect
import sys
import types
import typing
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from simulacra.batch import DataSpec
from simulacra.errors import SimulacraError, UserError, nearest
from simulacra.random import seed_of
from simulacra.recipes._ranges import check

ENTRY_POINTS = "simulacra.recipes"


@dataclass(frozen=True)
class Recipe:
    """A function from a description of the data to an experiment, with what a table of contents says of it.

    Attributes:
        name: as typed; `file.py:function` for a user's own.
        function: `(data: DataSpec, *, keyword arguments) -> Experiment`.
        family, domains, paper: from the constants FAMILY, DOMAIN and PAPER beside the function.
        sampling: from SAMPLING, the arguments that concern sampling alone and may be others than in training.
    """

    name: str
    function: Callable[..., Any]
    family: str
    domains: tuple[str, ...]
    paper: str
    sampling: tuple[str, ...] = ()

    @property
    def summary(self) -> str:
        """The first sentence of the recipe's docstring."""
        return (inspect.getdoc(self.function) or "").split("\n\n")[0].replace("\n", " ")

    def parameters(self) -> dict[str, inspect.Parameter]:
        """The keyword arguments, by name."""
        return dict(list(inspect.signature(self.function).parameters.items())[1:])

    def resolve(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """All keyword arguments with their values: `given` (text is converted by annotation) over the defaults.

        Raises:
            UserError: an argument is unknown, missing, not of its type, or a number out of its range.
        """
        parameters = self.parameters()
        hints = self._hints()
        for name in given:
            if name not in parameters:
                flag = "--" + name.replace("_", "-")
                known = ["--" + p.replace("_", "-") for p in parameters]
                raise UserError(f"expected an argument of {self.name}, came {flag}; {nearest(flag, known)}")
        out = {}
        for name, parameter in parameters.items():
            if name in given:
                flag = "--" + name.replace("_", "-")
                hint = hints.get(name, str)
                out[name] = _convert(flag, given[name], hint)
                check(flag, name, out[name], parameter.default, count=int in (hint, *typing.get_args(hint)))
            elif parameter.default is inspect.Parameter.empty:
                raise UserError(f"expected --{name.replace('_', '-')} for {self.name}, came nothing; give it a value")
            else:
                out[name] = parameter.default
        return out

    def resampled(self, arguments: Mapping[str, Any], sampling: Mapping[str, Any]) -> dict[str, Any]:
        """The resolved arguments of a trained run, with others for its sampling.

        Raises:
            UserError: an argument does not concern sampling alone, or is not of its type.
        """
        flags = {name: "--" + name.replace("_", "-") for name in self.sampling}
        for name in sampling:
            if name not in flags:
                flag, known = "--" + name.replace("_", "-"), ", ".join(flags.values()) or "none"
                raise UserError(f"expected an argument of {self.name} for sampling, came {flag}; it has {known}")
        return self.resolve({**arguments, **sampling})

    def _hints(self) -> dict[str, Any]:
        try:
            return typing.get_type_hints(self.function)
        except NameError:  # annotations that are only there for a type checker
            return {name: type(p.default) for name, p in self.parameters().items() if p.default is not p.empty}

    def build(self, data: DataSpec, arguments: Mapping[str, Any]) -> Any:
        """The experiment for this data, from resolved arguments.

        Raises:
            UserError: a recipe of the house cannot be built from these arguments.
        """
        try:
            return self.function(data, **arguments)
        except (ArithmeticError, AssertionError, IndexError, RuntimeError, ValueError) as reason:
            usual = {name: _plain(parameter.default) for name, parameter in self.parameters().items()}
            told = [f"--{k.replace('_', '-')} {v}" for k, v in arguments.items() if _plain(v) != usual[k]]
            if isinstance(reason, SimulacraError) or not told or self.function.__module__.split(".")[0] != "simulacra":
                raise
            words = " ".join(str(reason).split())
            raise UserError(f"expected arguments that {self.name} can take, came {' '.join(told)}: {words}") from reason


def _plain(value: Any) -> Any:
    """As it comes back from a run's folder."""
    return list(value) if isinstance(value, tuple) else value


def _convert(flag: str, value: Any, hint: Any) -> Any:
    if not isinstance(value, str):
        return value
    kinds = (
        typing.get_args(hint)
        if isinstance(hint, types.UnionType) or typing.get_origin(hint) is typing.Union
        else (hint,)
    )
    if type(None) in kinds and value.lower() in ("none", "null"):
        return None
    for kind in (k for k in kinds if k is not type(None)):
        try:
            return _read(value, kind)
        except UserError:
            raise
        except ValueError:
            continue
    wanted = " or ".join(getattr(k, "__name__", str(k)) for k in kinds)
    raise UserError(f"expected {flag} of type {wanted}, came {value!r}; see simulacra explain")


def _read(text: str, kind: Any) -> Any:
    if kind is bool:
        words = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
        if text.lower() not in words:
            raise ValueError(text)
        return words[text.lower()]
    if kind in (int, float, str):
        return kind(text)
    if hasattr(kind, "from_folder"):
        return kind.from_folder(text)
    if typing.get_origin(kind) in (tuple, list, Sequence):
        inner = typing.get_args(kind)[0]
        return [_read(item, inner) for item in text.split(",")]
    return str(text)


def builtin() -> list[str]:
    """Names of the recipes that come with the package."""
    return sorted(p.stem for p in Path(__file__).parent.rglob("*.py") if not p.stem.startswith("_"))


def installed() -> dict[str, Any]:
    """Recipes that other packages offer under the entry point group `simulacra.recipes`."""
    from importlib.metadata import entry_points

    return {point.name: point for point in entry_points(group=ENTRY_POINTS)}


def table() -> dict[str, dict[str, Any]]:
    """Name -> family, domains, paper and summary of every built-in recipe, read without importing any."""
    out = {}
    for path in sorted(Path(__file__).parent.rglob("*.py")):
        if path.stem.startswith("_"):
            continue
        tree = ast.parse(path.read_text())
        row: dict[str, Any] = {}
        for node in tree.body:
            if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
                word = node.targets[0].id.lower()
                if word in ("family", "domain", "paper"):
                    row[word] = ast.literal_eval(node.value)
            if isinstance(node, ast.FunctionDef) and node.name == path.stem:
                row["summary"] = (ast.get_docstring(node) or "").split("\n\n")[0].replace("\n", " ")
        out[path.stem] = row
    return out


def find(name: str) -> Recipe:
    """The recipe of this name, or of a user's `file.py:function`.

    Raises:
        UserError: there is none; the message names the nearest.
    """
    if ".py:" in name or name.endswith(".py"):
        return _from_file(name)
    if name in builtin():
        path = next(p for p in Path(__file__).parent.rglob(f"{name}.py"))
        dotted = ".".join(path.relative_to(Path(__file__).parent).with_suffix("").parts)
        module = importlib.import_module(f"simulacra.recipes.{dotted}")
        return _recipe(name, getattr(module, name), module)
    points = installed()
    if name in points:
        function = points[name].load()
        return _recipe(name, function, inspect.getmodule(function))
    known = [*builtin(), *points]
    raise UserError(f"expected a recipe, came {name!r}; {nearest(name, known)}; simulacra list shows them all")


def _recipe(name: str, function: Callable[..., Any], module: Any) -> Recipe:
    return Recipe(
        name,
        function,
        getattr(module, "FAMILY", ""),
        tuple(getattr(module, "DOMAIN", ())),
        getattr(module, "PAPER", ""),
        tuple(getattr(module, "SAMPLING", ())),
    )


def _from_file(name: str) -> Recipe:
    place, _, word = name.partition(":")
    path = Path(place).expanduser()
    if not path.is_file():
        raise UserError(f"expected a Python file with a recipe, {place} does not exist; write file.py:function")
    alias = f"recipe_{path.stem}_{seed_of(str(path.resolve())):x}"
    spec = importlib.util.spec_from_file_location(alias, path)
    if spec is None or spec.loader is None:
        raise UserError(f"expected a Python file with a recipe, came {place}; write file.py:function")
    module = importlib.util.module_from_spec(spec)
    sys.modules[alias] = module  # dataclasses and `inspect` look for it there
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        came = " ".join(f"{type(error).__name__}: {error}".split())
        raise UserError(f"expected {place} to import, came {came}; mend the file") from None
    functions = {n: f for n, f in vars(module).items() if inspect.isfunction(f) and f.__module__ == module.__name__}
    word = word or path.stem
    if word not in functions:
        raise UserError(f"expected a function {word!r} in {place}; {nearest(word, functions)}")
    return _recipe(f"{path.resolve()}:{word}", functions[word], module)


def parts_of(recipe: Recipe) -> list[Any]:
    """The classes and functions that a recipe names, in its own order: of this package and of the recipe's file.

    Those in functions of its file, and in functions that return the experiment for several recipes, are among them.
    """
    seen: list[Any] = [recipe.function]
    for function in seen:
        builds = function is recipe.function or getattr(function, "__annotations__", {}).get("return") == "Experiment"
        inner = inspect.isfunction(function) and function.__module__ == recipe.function.__module__
        if not inspect.isfunction(function) or not (builds or inner):
            continue
        for word in _names(function.__code__):
            thing = function.__globals__.get(word)
            known = inspect.isclass(thing) or inspect.isfunction(thing)
            home = getattr(thing, "__module__", "") if known else ""
            if (home.startswith("simulacra.") or home == recipe.function.__module__) and thing not in seen:
                seen.append(thing)
    return seen[1:]


def _names(code: types.CodeType) -> list[str]:
    """Global names in a function and in those inside it."""
    inner = [name for one in code.co_consts if isinstance(one, types.CodeType) for name in _names(one)]
    return [*code.co_names, *inner]

"""Scripts as modules, so that their functions can be called."""

import importlib.util
import sys
from types import ModuleType

from icsilib.study.order import ROOT


def load_script(name: str) -> ModuleType:
    """A new module of `scripts/<name>.py`; its dataclasses look for their annotations in `sys.modules`."""
    spec = importlib.util.spec_from_file_location(name, ROOT / "scripts" / f"{name}.py")
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module

"""What the settings of both papers' models have in common: a name, the profile before, a form on disk."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Self, TypeVar

from torch import nn

S = TypeVar("S", bound="BaseSettings")
SHIPPED = "shipped"  # instead of a profile: the weights of the library


@dataclass(frozen=True)
class BaseSettings:
    """Everything that decides a model and its training."""

    profile: str
    after: str | None = None  # profile whose finished weights this one begins with, or "shipped"

    def build(self) -> nn.Module:
        """The network, newly initialised from torch's random state."""
        raise NotImplementedError

    def with_(self, **changes: Any) -> Self:
        """A copy in which `changes` replace fields."""
        return replace(self, **changes)

    def as_record(self) -> dict[str, Any]:
        """Settings as JSON holds them."""
        return {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self).items()}

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> Self:
        """Settings from `as_record`'s result; raises `TypeError` for fields that do not exist."""
        values: dict[str, Any] = {name: tuple(v) if isinstance(v, list) else v for name, v in record.items()}
        return cls(**values)


def by_name(*profiles: S) -> dict[str, S]:
    """The profiles by their names."""
    return {settings.profile: settings for settings in profiles}


def stages_of(profiles: Mapping[str, S], name: str) -> list[S]:
    """The profiles that are trained one after the other, each from the weights of the one before; `name` is last."""
    settings = profiles[name]
    begins = settings.after in (None, SHIPPED)
    return [settings] if begins else [*stages_of(profiles, str(settings.after)), settings]


def stage_folders(stages: Sequence[S], out: Path | str) -> list[tuple[S, Path]]:
    """Stages with the folders of their runs: the last one's is `out` itself, an earlier one's is named after it."""
    return [(each, Path(out) if each is stages[-1] else Path(out) / each.profile) for each in stages]

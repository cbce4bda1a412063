"""Where a network runs: the processor, or a GPU where there is one."""

import torch
from torch import nn

from icsilib.errors import IcsiError

Device = torch.device | str  # "auto", "cpu", "cuda", "mps", or a device of torch


class DeviceError(IcsiError):
    """A device that does not exist here; the message names those to choose from."""


def resolve_device(device: Device = "auto") -> torch.device:
    """The device of that name; "auto" is the GPU where there is one (CUDA, then Apple's), else the CPU."""
    there = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if isinstance(device, torch.device):
        return device
    if device == "auto":
        return torch.device(next(name for name, found in there.items() if found))
    if not there.get(device.partition(":")[0], False):
        here = ", ".join(name for name, found in there.items() if found)
        raise DeviceError(f"device {device!r}: is not here; choose auto, {here}")
    return torch.device(device)


def device_of(network: nn.Module) -> torch.device:
    """The device of a network's weights."""
    return next((weight.device for weight in network.parameters()), torch.device("cpu"))


def device_name(device: torch.device) -> str:
    """The device as results name it: "cpu", or the GPU's model."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else device.type


def wait_for(device: torch.device) -> None:
    """Return when the device has done what it was given, so that a time is that of the work."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()

"""Several processes: torch's DistributedDataParallel, started by torch.distributed.run; one process needs nothing."""

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import distributed, nn
from torch.nn.parallel import DistributedDataParallel


@dataclass(frozen=True)
class Ranks:
    """Which of how many processes this is."""

    rank: int = 0
    world: int = 1
    local: int = 0

    @classmethod
    def join(cls, device: str) -> "Ranks":
        """Join the group that torch.distributed.run announced in the environment; alone without one."""
        world = int(os.environ.get("WORLD_SIZE", "1"))
        if world == 1:
            return cls()
        distributed.init_process_group("nccl" if device == "cuda" else "gloo")
        return cls(distributed.get_rank(), world, int(os.environ["LOCAL_RANK"]))

    def leave(self) -> None:
        """Leave the group."""
        if self.world > 1:
            distributed.destroy_process_group()

    def wrap(self, model: nn.Module) -> nn.Module:
        """The module whose gradients are averaged over processes."""
        if self.world == 1:
            return model
        return DistributedDataParallel(model, find_unused_parameters=True)

    @contextlib.contextmanager
    def accumulate(self, network: nn.Module, last: bool) -> Iterator[None]:
        """Average gradients over processes only with the last micro-batch."""
        if isinstance(network, DistributedDataParallel) and not last:
            with network.no_sync():
                yield
        else:
            yield

    def wait(self) -> None:
        """Until all processes are here."""
        if self.world > 1:
            distributed.barrier(device_ids=[self.local] if torch.cuda.is_available() else None)

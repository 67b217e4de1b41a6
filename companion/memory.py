"""Peak memory of a computation, counted from its tensors, because a process's memory hardly ever shrinks."""

import gc
import weakref
from collections.abc import Callable

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_iter

__all__ = ["peak_bytes"]


class _Counted(TorchDispatchMode):
    """Counts the bytes of every storage that an operation creates, until it is freed."""

    def __init__(self):
        super().__init__()
        self.bytes: dict[int, int] = {}  # storage -> its size, 0 for those that existed before
        self.now = self.most = 0

    def __torch_dispatch__(self, operation, types, args=(), kwargs=None):
        self._see((args, kwargs), counts=False)
        result = operation(*args, **(kwargs or {}))
        self._see(result, counts=True)
        return result

    def _see(self, values: object, counts: bool) -> None:
        for value in tree_iter(values):
            if isinstance(value, Tensor):
                storage = value.untyped_storage()
                key = storage._cdata
                if key not in self.bytes:
                    self.bytes[key] = storage.nbytes() if counts else 0
                    self.now += self.bytes[key]
                    self.most = max(self.most, self.now)
                    weakref.finalize(storage, self._freed, key)

    def _freed(self, key: int) -> None:
        self.now -= self.bytes.pop(key)


def peak_bytes(work: Callable[[], object], device: torch.device | str = "cpu") -> int:
    """Return the peak memory of tensors in ``work()``, in bytes, beyond what was there before.

    On a CPU it counts tensors one by one, which slows the work down and misses memory used inside an operation; on a
    GPU the allocator's own count is used.
    """
    gc.collect()
    if torch.device(device).type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
        before = torch.cuda.memory_allocated(device)
        work()
        return torch.cuda.max_memory_allocated(device) - before
    with _Counted() as counted:
        work()
    return counted.most

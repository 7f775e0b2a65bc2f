"""How a process of which there are many wants its processor time: less of it than others, and soon.

Linux shares processors by virtual deadlines since 6.6 (EEVDF): who asks for shorter slices gets no more time, but gets
it sooner after having slept (https://docs.kernel.org/scheduler/sched-eevdf.html; asked for by ``sched_runtime`` since
6.12, 0.1 to 100 ms).  Older kernels heed the nice value only.
"""

import ctypes
import os
import platform
from typing import Any, ClassVar

NICEST = 19
"""The highest nice value."""
_SCHED_SETATTR = {"x86_64": 314, "aarch64": 274, "riscv64": 274}
"""The system call's number; glibc has a function for it from 2.41 on."""
_SCHED_OTHER = 0
_NANOSECONDS = 1_000_000_000

_libc = ctypes.CDLL(None, use_errno=True)


class _Attributes(ctypes.Structure):
    """``struct sched_attr`` as it was published first (``man 2 sched_setattr``)."""

    _fields_: ClassVar[list[tuple[str, Any]]] = [
        ("size", ctypes.c_uint32),
        ("policy", ctypes.c_uint32),
        ("flags", ctypes.c_uint64),
        ("nice", ctypes.c_int32),
        ("priority", ctypes.c_uint32),
        ("runtime", ctypes.c_uint64),
        ("deadline", ctypes.c_uint64),
        ("period", ctypes.c_uint64),
    ]


def yield_to_others(niceness: int, slice_seconds: float) -> None:
    """The nice value of this thread, and of those it starts, rises by ``niceness``, and they ask for such slices.

    A kernel that can't be asked, or refuses, leaves them the nice value.
    """
    nice = min(os.getpriority(os.PRIO_PROCESS, 0) + niceness, NICEST)
    attributes = _Attributes(
        size=ctypes.sizeof(_Attributes),
        policy=_SCHED_OTHER,
        nice=nice,
        runtime=round(slice_seconds * _NANOSECONDS),
    )
    number = _SCHED_SETATTR.get(platform.machine())
    if number is None or _libc.syscall(number, 0, ctypes.byref(attributes), 0) != 0:
        os.setpriority(os.PRIO_PROCESS, 0, nice)

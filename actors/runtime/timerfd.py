"""A timer that is a file descriptor: Python 3.13 has it in ``os``, the supported versions before it do not."""

import ctypes
import os

_CLOCK_MONOTONIC = 1
_TFD_NONBLOCK = 0o4000
_TFD_CLOEXEC = 0o2000000
_libc = ctypes.CDLL(None, use_errno=True)


class _Timespec(ctypes.Structure):
    _fields_ = (("sec", ctypes.c_long), ("nsec", ctypes.c_long))


class _Itimerspec(ctypes.Structure):
    _fields_ = (("interval", _Timespec), ("value", _Timespec))


class TimerFd:
    """Becomes readable once, when the time it was last set to has passed."""

    def __init__(self) -> None:
        self.fd: int = _libc.timerfd_create(_CLOCK_MONOTONIC, _TFD_NONBLOCK | _TFD_CLOEXEC)
        if self.fd < 0:
            raise OSError(ctypes.get_errno(), "timerfd_create failed")

    def set(self, seconds: float | None) -> None:
        """Arms it ``seconds`` from now (0: at once); None disarms it."""
        nanoseconds = 0 if seconds is None else max(1, int(seconds * 1e9))
        spec = _Itimerspec()
        spec.value.sec, spec.value.nsec = divmod(nanoseconds, 1_000_000_000)
        if _libc.timerfd_settime(self.fd, 0, ctypes.byref(spec), None) != 0:
            raise OSError(ctypes.get_errno(), "timerfd_settime failed")

    def drain(self) -> None:
        """Makes it unreadable again."""
        try:
            os.read(self.fd, 8)
        except BlockingIOError:
            return

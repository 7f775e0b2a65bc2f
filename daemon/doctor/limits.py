"""Do the limits of the machine fit the fleet?  Pure."""

from daemon.doctor.finding import Finding, fail, ok, warn
from daemon.doctor.needs import Fleet

COMFORT = 1.25
"""What is needed, and a quarter on top: restarts overlap, and the API wants connections."""
MB = 1_000_000


def open_files(fleet: Fleet, hard: int | None, whose: str) -> Finding:
    """``hard`` limit of open files a process (main raises its soft limit to it); None: without a limit."""
    name, need = "open-files", fleet.open_files
    if hard is None:
        return ok(name, f"no limit for {whose}; the busiest process of {fleet.sessions} sessions needs {need}")
    what = f"the hard limit of {whose} is {hard}, the busiest process of {fleet.sessions} sessions needs {need}"
    if hard >= need * COMFORT:
        return ok(name, what)
    remedy = "LimitNOFILE=65536 in the unit, or ulimit -Hn 65536 in what starts it; then restart wavigil"
    return (fail if hard < need else warn)(name, what, remedy)


def tasks(fleet: Fleet, limits: dict[str, int], taken: int, whose: str) -> Finding:
    """``limits`` of tasks by their name, ``taken`` by other processes of the same user or machine."""
    name, need = "processes", fleet.tasks
    if not limits:
        return ok(name, f"no limit for {whose}; {fleet.sessions} sessions need {need} tasks")
    tightest = min(limits, key=lambda limit: limits[limit])
    bound = limits[tightest]
    what = (
        f"{tightest} allows {whose} {bound} tasks; {fleet.sessions} sessions need {need} "
        f"({fleet.processes} processes), others take {taken}"
    )
    if bound >= (need + taken) * COMFORT:
        return ok(name, what)
    remedy = {
        "RLIMIT_NPROC": "LimitNPROC=infinity in the unit, or a higher nproc in /etc/security/limits.conf",
        "pids.max": "TasksMax=infinity in the unit (systemctl edit wavigil), then restart",
    }.get(tightest, f"sysctl -w kernel.{tightest}=4194304, and the same in /etc/sysctl.d")
    return (fail if bound < need + taken else warn)(name, what, remedy)


def memory(fleet: Fleet, available: int, cgroup: int | None, used: int) -> Finding:
    """Bytes: ``available`` on the machine, left in the ``cgroup`` (None: no bound), ``used`` by the daemon already."""
    name = "memory"
    room = min(available, available if cgroup is None else cgroup)
    bound = "in the cgroup (memory.max)" if cgroup is not None and cgroup < available else "on the machine"
    need = max(0, fleet.memory - used)
    what = f"{room // MB} MB are available {bound}; {fleet.sessions} sessions need about {fleet.memory // MB} MB"
    what += f", of which {used // MB} MB are in use" if used else ""
    if room >= need * COMFORT:
        return ok(name, what)
    remedy = (
        "add memory, raise MemoryMax of the unit if that is what bounds it, let the kernel share equal pages of "
        "session actors (echo 1 > /sys/kernel/mm/ksm/run, and `w /sys/kernel/mm/ksm/run - - - - 1` in "
        "/etc/tmpfiles.d), or run fewer sessions on this machine"
    )
    return (fail if room < need else warn)(name, what, remedy)

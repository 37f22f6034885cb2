"""What the machine has to do: CPU load, and bytes that wait to be read, from /proc."""

from pathlib import Path


class CpuLoad:
    """Share of the time since the last look in which the CPUs had work, 0 to 1."""

    def __init__(self) -> None:
        self._last = (0, 0)

    def read(self) -> float:
        """The share; 0 at the first look."""
        fields = [int(word) for word in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:]]
        total, idle = sum(fields[:8]), fields[3] + fields[4]
        passed, rested = total - self._last[0], idle - self._last[1]
        first = self._last == (0, 0)
        self._last = total, idle
        return 0.0 if first or passed <= 0 else min(max(1 - rested / passed, 0.0), 1.0)


def waiting_bytes() -> int:
    """Bytes in the receive queues of all UDP sockets of the machine."""
    total = 0
    for name in ("udp", "udp6"):
        try:
            lines = Path(f"/proc/net/{name}").read_text().splitlines()[1:]
        except FileNotFoundError:
            continue
        total += sum(int(line.split()[4].partition(":")[2], 16) for line in lines)
    return total

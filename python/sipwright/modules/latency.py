"""How long the answers of a destination take: mean, deviation, estimate (Kamailio's `ds_ping_latency_stats`)."""

import math
from dataclasses import dataclass
from typing import Final

# From here on the mean is a moving one: about 24 days at one sample a second.
MOST_SAMPLES: Final = 2_097_152


@dataclass(slots=True)
class Latency:
    """Milliseconds. `estimate` is an exponentially weighted mean, `timeouts` counts keep-alives without an answer."""

    average: float = 0.0
    deviation: float = 0.0
    estimate: float = 0.0
    longest: int = 0
    samples: int = 0
    timeouts: int = 0
    _squares: float = 0.0

    def start(self, latency_ms: int) -> None:
        """Begins with what is known of the destination; 0 for nothing."""
        if latency_ms:
            self.add(latency_ms, 0.9)

    def add(self, latency_ms: int, alpha: float) -> None:
        """Takes a measurement in; `alpha` is the weight of earlier ones in the estimate."""
        self.longest = max(self.longest, latency_ms)
        if not self.samples:
            self.samples, self.average, self.estimate = 1, float(latency_ms), float(latency_ms)
            return
        if self.samples < MOST_SAMPLES:
            self.samples += 1
        else:
            self._squares -= self._squares / self.samples
        delta = latency_ms - self.average
        self.average += delta / self.samples
        self._squares += delta * (latency_ms - self.average)
        self.deviation = math.sqrt(self._squares / (self.samples - 1))
        self.estimate = self.estimate * alpha + latency_ms * (1 - alpha)

    @property
    def congestion_ms(self) -> float:
        """How much slower it is now than it mostly was."""
        return max(0.0, self.estimate - self.average)

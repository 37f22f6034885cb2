"""Settings: one typed model with all defaults (`model`), read from file, environment and command line (`sources`)."""

from sipwright.settings.errors import SettingsError
from sipwright.settings.listen import Listen
from sipwright.settings.model import Settings
from sipwright.settings.sources import load_settings

__all__ = ["Listen", "Settings", "SettingsError", "load_settings"]

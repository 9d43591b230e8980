"""Pre-trains SAM-nano on scenes of everyday-like objects; see ``docs/nano.md``."""

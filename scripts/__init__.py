"""Programs that make what the package ships; they are no part of it."""

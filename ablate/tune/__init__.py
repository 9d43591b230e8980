"""Tunes by Optuna, which is loaded when it is used."""

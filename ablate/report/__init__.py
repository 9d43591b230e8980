"""Tables from runs: needs neither torch nor MLflow.

The path: ``results`` reads the store, ``summary`` sets the runs beside the published values (a
``Report``), ``tables`` turns that into tables with every word and number that is printed, and
``writers`` print them.
"""

import lazy_loader

# Each name is loaded when it is first used: a command waits for the modules that it needs alone.
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)

"""The `KSR` namespace of routing scripts, one module for each Kamailio module.

Most functions are builtins of the engine; those that keep state of their own are Python, in the files of this
directory, named as in Kamailio. `namespace` puts them together.
"""

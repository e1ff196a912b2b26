"""How a setting is declared: `field: Annotated[type, kind] = default` in the settings struct of the part that uses it.

The field's encoded name is the key in the file, and its docstring documents it. `config` composes the structs of all
parts and needs no edit for a new key.
"""

"""Where recordings hold coughs, voices and crying, marked by hand and eye; README.md says how."""

"""The link to a stethoscope's microcontroller: PROTOCOL.md, its host side, and a C header for the device's.

On the standard library and NumPy alone; a transport's library is imported only where that transport is opened.
"""

"""What an ICBHI folder holds, lacks and is enough for: `python -m train.data_report DIR`."""

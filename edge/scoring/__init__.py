"""What `respire-edge score` is made of: which files, one file, all of them in order, and how a cut-off run goes on."""

"""What `respire-edge doctor` looks at, one noun a file. Standard library alone at module level: it starts anywhere."""

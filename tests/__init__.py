"""The tests of the library, one folder for each part; CONTRIBUTING.md says which holds what."""

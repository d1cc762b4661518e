"""Python source as LibCST sees it: programs, names, constants, edits."""

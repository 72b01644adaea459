"""One file a revision; its name goes to the end of REVISIONS in results.schema."""

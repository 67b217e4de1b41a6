"""Running pages: code fingerprints, seeds, the store of computed steps, records with provenance."""

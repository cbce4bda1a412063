"""What makes the notebooks one study: profiles, provenance of results, the claims ledger, execution."""

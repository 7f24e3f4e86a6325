# Reports and pages in a real Chromium (Debian: chromium). Included by the root Makefile.

test-page: setup  ## look at reports and pages in a real browser (needs Chromium)
	$(BIN)/python -m pytest tests/page

test: test-page

.PHONY: test-page

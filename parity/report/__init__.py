"""The report of a run: what was judged, as report.json and as one page, report.html (docs/report.md)."""

"""report.html: the report for people who would rather look than read. One file, nothing loaded."""

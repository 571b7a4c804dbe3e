"""Reports as pages, workbooks and e-mails."""

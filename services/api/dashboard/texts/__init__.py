"""The languages of pages and e-mails, and what is put into words in more than one of them."""

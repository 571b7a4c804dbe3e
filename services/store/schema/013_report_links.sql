-- Which report a link shows; '' for one that shows the traffic of a site.

ALTER TABLE share_links ADD COLUMN IF NOT EXISTS period String;

ALTER TABLE share_links ADD COLUMN IF NOT EXISTS dates String;

ALTER TABLE share_links ADD COLUMN IF NOT EXISTS opening String;

/// Where bundles and machines live on disk.

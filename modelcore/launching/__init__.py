"""Starting the processes of a job, watching them, and ending all of them when one ends wrongly."""

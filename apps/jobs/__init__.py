"""The one table of work: jobs are queued, placed, launched, watched, resumed and explained here, whatever they do."""

"""Writes on jobs. The row of the job is the lock for the job, its attempts and its events: it is taken first."""

"""Numbers over steps: series of a job, their points, and charts drawn from them."""

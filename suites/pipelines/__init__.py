"""What happens before and after a network: pictures and texts to inputs, outputs to answers, with real libraries."""

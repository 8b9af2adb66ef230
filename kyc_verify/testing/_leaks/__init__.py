"""What `kyc_verify.testing.leaks` looks with: through objects, frames, logs and stores."""

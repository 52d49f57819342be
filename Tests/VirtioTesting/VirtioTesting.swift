// VirtioTesting

// KernelBundle

"""placeholder: being fitted"""
from npbert.simd.kernel import inline
from npbert.simd.vector import fill, fma, maximum, scale_by_power_of_two

@inline
def exp(x):
    x = maximum(x, fill(-87.0))
    t = fma(x, fill(1.4426950408889634), fill(12582912.0))
    n = t - fill(12582912.0)
    r = fma(n, fill(-0.693359375), x)
    r = fma(n, fill(2.12194440e-4), r)
    p = fill(1.9875691500e-4)
    p = fma(p, r, fill(1.3981999507e-3))
    p = fma(p, r, fill(8.3334519073e-3))
    p = fma(p, r, fill(4.1665795894e-2))
    p = fma(p, r, fill(1.6666665459e-1))
    p = fma(p, r, fill(5.0000001201e-1))
    return scale_by_power_of_two(fma(p, r * r, r + fill(1.0)), t)

@inline
def gelu_approximate(x):
    u = x * fma(x * x, fill(-2 * 0.7978845608028654 * 0.044715), fill(-2 * 0.7978845608028654))
    u = fill(0.0) - maximum(fill(0.0) - u, fill(-80.0))
    return x / (fill(1.0) + exp(u))

@inline
def gelu(x):
    return gelu_approximate(x)

@inline
def tanh(x):
    u = fill(0.0) - maximum(x * fill(2.0), fill(-80.0))
    return fill(2.0) / (fill(1.0) + exp(u)) - fill(1.0)

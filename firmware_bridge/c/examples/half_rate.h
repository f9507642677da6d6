/*
 * Halves a sample rate, such as 16 to 8 kHz, behind an anti-alias filter: every second sample alone would fold the
 * upper half of the band onto breath. SPDX-License-Identifier: Apache-2.0
 *
 * A half-band low-pass of 31 taps (Kaiser window, beta 6), in Q15. Of 16 kHz it keeps 0 to 3 kHz within 0.02 dB, and
 * lowers what lies above 5 kHz, which folds onto that, by more than 56 dB. It delays by 15 samples of its input.
 */
#ifndef HALF_RATE_H
#define HALF_RATE_H

#include <stddef.h>
#include <stdint.h>

#define HALF_RATE_TAPS 31u

typedef struct {
    int16_t last[HALF_RATE_TAPS]; /* the latest is the last; begin with zeros */
} half_rate_t;

static inline int16_t half_rate_filtered(const half_rate_t *filter)
{
    /* Taps 0, 2 ... 14, the same from behind; the middle one is a half, the others are 0. */
    static const int16_t taps[8] = {-10, 58, -171, 393, -795, 1527, -3113, 10304};
    int32_t sum = 16384 * (int32_t)filter->last[15];
    size_t i;
    for (i = 0; i < 8u; i++) {
        sum += taps[i] * ((int32_t)filter->last[2u * i] + filter->last[30u - 2u * i]);
    }
    sum = (sum + ((sum < 0) ? -16384 : 16384)) / 32768;
    return (int16_t)((sum > INT16_MAX) ? INT16_MAX : (sum < INT16_MIN) ? INT16_MIN : sum);
}

/* `count` samples, an even number, become half as many; `out` may be `in`. */
static inline void half_rate(half_rate_t *filter, const int16_t *in, size_t count, int16_t *out)
{
    size_t i;
    size_t tap;
    for (i = 0; i + 1u < count; i += 2u) {
        const int16_t pair[2] = {in[i], in[i + 1u]};
        for (tap = 0; tap < HALF_RATE_TAPS - 2u; tap++) {
            filter->last[tap] = filter->last[tap + 2u];
        }
        filter->last[29] = pair[0];
        filter->last[30] = pair[1];
        out[i / 2u] = half_rate_filtered(filter);
    }
}

#endif

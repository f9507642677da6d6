/* Halves the rate of what comes in as PCM16 of this processor, in blocks as long as the examples' ones. */
#include "examples/half_rate.h"

#include <stdio.h>

int main(void)
{
    static half_rate_t filter;
    static int16_t block[256];
    size_t count;
    while ((count = fread(block, sizeof block[0], 256, stdin)) > 0) {
        half_rate(&filter, block, count, block);
        fwrite(block, sizeof block[0], count / 2, stdout);
    }
    return 0;
}

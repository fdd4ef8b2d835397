/* SPDX-License-Identifier: ISC */
/* replay: runs a fuzz target over the files named on the command line, for `make check` and for looking at a finding. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        FILE *f = fopen(argv[i], "rb");
        long size;

        if (!f || fseek(f, 0, SEEK_END) != 0 || (size = ftell(f)) < 0) {
            perror(argv[i]);
            return 1;
        }
        rewind(f);
        /* exactly as large as the input, so that a sanitizer sees each byte read beyond it */
        uint8_t *data = malloc(size ? (size_t)size : 1);
        if (!data || fread(data, 1, (size_t)size, f) != (size_t)size) {
            perror(argv[i]);
            return 1;
        }
        (void)fclose(f);
        printf("%s\n", argv[i]);
        (void)fflush(stdout);
        (void)LLVMFuzzerTestOneInput(data, (size_t)size);
        free(data);
    }
    printf("%d inputs\n", argc - 1);
    return 0;
}

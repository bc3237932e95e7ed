/* main.c - the entry of the command line. */
int main(void)
{
    return 0;
}

/** What a line is about, for machines: ids, names and numbers; never a payload, a header's value or a URL. */
export type LogFields = Readonly<Record<string, string | number | boolean | null | undefined | readonly string[]>>;

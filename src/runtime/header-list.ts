/** The fields of a `Headers`, sorted. Not by its iterator: on Deno that takes ten times as long. */
export function headerList(headers: Headers): [string, string][] {
  const list: [string, string][] = []
  headers.forEach((value, name) => {
    list.push([name, value])
  })
  return list
}
